with
    insights as (select * from {{ ref("stg_insights") }}),

    episodes as (select * from {{ ref("int_episodes_unified") }}),

    final as (
        select
            insights.*,
            episodes.canonical_episode_id,
            episodes.show_title,
            episodes.show_key,
            episodes.publisher,
            episodes.published_at,
            episodes.available_on,
            episodes.is_late,
            episodes.feed_weight,
            episodes.trust,
            episodes.trust >= {{ var("trust_floor") }} as is_trusted
        from insights
        inner join episodes using (day, episode_id)
        where episodes.transcript_state = 'ready'
    )

select *
from final
