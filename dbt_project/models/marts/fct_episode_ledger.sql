with
    episodes as (
        select *
        from {{ ref("int_episodes_unified") }}
        where day = {{ processed_day() }}
    ),

    extractions as (
        select * from {{ ref("stg_extractions") }} where day = {{ processed_day() }}
    ),

    insights as (
        select * from {{ ref("fct_insights") }} where day = {{ processed_day() }}
    ),

    by_episode as (
        select
            episode_id,
            count(*) as candidates,
            count(*) filter (where fate = 'chosen') as picks,
            -- An episode is told the fate of its best candidate.
            first(fate order by score desc, insight_id) as best_fate
        from insights
        group by episode_id
    ),

    joined as (
        select
            episodes.*,
            extractions.extraction_state,
            extractions.extraction_reason,
            extractions.extraction_detail,
            coalesce(by_episode.candidates, 0) as candidates,
            coalesce(by_episode.picks, 0) as picks,
            by_episode.best_fate
        from episodes
        left join extractions using (day, episode_id)
        left join by_episode using (episode_id)
    ),

    final as (
        select
            day,
            episode_id,
            canonical_episode_id,
            feed_id,
            show_title,
            show_url,
            network,
            publisher,
            feed_weight,
            episode_title,
            episode_url,
            published_at,
            available_on,
            is_late,
            case
                when picks > 0
                then 'included'
                when transcript_state is null
                then 'pending'
                when transcript_state <> 'ready'
                then transcript_state
                when extraction_state is null
                then 'pending'
                else extraction_state
            end as state,
            case
                when picks > 0
                then 'chosen'
                when transcript_state is null
                then 'no_transcript_yet'
                when transcript_state <> 'ready'
                then transcript_reason
                when extraction_state is null
                then 'no_extraction_yet'
                when extraction_state <> 'considered'
                then extraction_reason
                else coalesce(best_fate, 'no_candidates')
            end as reason,
            case
                when picks > 0
                then null
                when transcript_state <> 'ready'
                then transcript_detail
                else extraction_detail
            end as detail,
            candidates,
            picks
        from joined
    )

select *
from final
