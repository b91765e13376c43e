with
    source as (
        select * from {{ source("lake", "episodes") }} where {{ lake_window() }}
    ),

    renamed as (
        select
            day,
            episode_id,
            feed_id,
            "show" as show_title,
            show_url,
            network,
            guid,
            title as episode_title,
            episode_url,
            audio_url,
            published as published_at,
            first_seen as first_seen_at,
            available_on,
            late as is_late,
            duration as duration_seconds,
            transcript_links,
            feed_weight
        from source
    ),

    final as (select * from renamed)

select *
from final
