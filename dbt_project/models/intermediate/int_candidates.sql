with
    insights as (select * from {{ ref("stg_insights") }}),

    episodes as (select * from {{ ref("int_episodes_unified") }}),

    final as (
        select
            insights.*,
            episodes.canonical_episode_id,
            episodes.feed_id,
            episodes.show_title,
            episodes.show_url,
            episodes.show_key,
            episodes.publisher,
            episodes.episode_title,
            episodes.episode_url,
            episodes.audio_url,
            episodes.published_at,
            episodes.available_on,
            episodes.is_late,
            coalesce(episodes.times_may_drift, false) as times_may_drift,
            episodes.feed_weight,
            episodes.trust,
            episodes.trust >= {{ var("trust_floor") }} as is_trusted
        from insights
        inner join episodes using (day, episode_id)
        where episodes.transcript_state = 'ready'
    )

select *
from final
