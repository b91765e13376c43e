select
    cast({{ related_nearness() }} as double) as related_nearness,
    cast({{ var("nearest_kept") }} as bigint) as nearest_kept
