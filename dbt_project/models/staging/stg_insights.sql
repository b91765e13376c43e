with
    source as (
        select * from {{ source("lake", "insights") }} where {{ lake_window() }}
    ),

    renamed as (
        select
            day,
            insight_id,
            episode_id,
            position as position_in_episode,
            headline,
            body,
            speaker,
            claim_type,
            salience,
            reasons,
            entities,
            quotes,
            names,
            words,
            embedding,
            embedding_model,
            engine,
            model,
            prompt_version,
            transcript_key
        from source
    ),

    final as (select * from renamed)

select *
from final
