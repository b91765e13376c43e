with
    source as (
        select * from {{ source("lake", "extractions") }} where {{ lake_window() }}
    ),

    renamed as (
        select
            day,
            episode_id,
            state as extraction_state,
            reason as extraction_reason,
            detail as extraction_detail,
            engine,
            model,
            prompt_version,
            candidates,
            rejections,
            rejection_reasons,
            input_tokens,
            output_tokens,
            cost_usd,
            seconds_taken,
            reused as is_reused
        from source
    ),

    final as (select * from renamed)

select *
from final
