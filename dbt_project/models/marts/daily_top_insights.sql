with
    selection as (select * from {{ ref("int_selection") }}),

    scored as (select * from {{ ref("int_scored") }}),

    insights as (
        select * from {{ ref("stg_insights") }} where day = {{ processed_day() }}
    ),

    episodes as (
        select *
        from {{ ref("int_episodes_unified") }}
        where day = {{ processed_day() }}
    ),

    -- What lifts a candidate is where it is better than the day's average, not which
    -- component weighs most.
    average as (
        select
            avg(salience) as salience,
            avg(specificity) as specificity,
            avg(evidence) as evidence,
            avg(novelty) as novelty,
            avg(corroboration) as corroboration,
            avg(freshness) as freshness,
            avg(feed_weight) as feed_weight
        from scored
    ),

    lifted as (
        select
            scored.*,
            list_sort(
                [
                    {
                        'lift':{{ lift("salience", "weight_salience") }},
                        'reason':'strong claim'
                    },
                    {
                        'lift':{{ lift("specificity", "weight_specificity") }},
                        'reason':'exact numbers and names'
                    },
                    {
                        'lift':{{ lift("evidence", "weight_evidence") }},
                        'reason':'well evidenced'
                    },
                    {
                        'lift':{{ lift("novelty", "weight_novelty") }},
                        'reason':'nothing like it sent before'
                    },
                    {
                        'lift':{{ lift("corroboration", "weight_corroboration") }},
                        'reason':'said by independent shows'
                    },
                    {
                        'lift':{{ lift("freshness", "weight_freshness") }},
                        'reason':'fresh'
                    },
                    {
                        'lift':{{ lift("feed_weight", "weight_feed") }},
                        'reason':'a show you favour'
                    }
                ],
                'desc'
            ) as lifts,
            list_filter(also_in, lambda other:other.day < scored.day) as also_in_before
        from scored
        cross join average
    ),

    final as (
        select
            lifted.day,
            selection.rank,
            lifted.insight_id,
            lifted.episode_id,
            lifted.canonical_episode_id,
            episodes.feed_id,
            lifted.show_title,
            episodes.show_url,
            lifted.publisher,
            episodes.episode_title,
            episodes.episode_url,
            episodes.audio_url,
            episodes.published_at,
            episodes.available_on,
            lifted.is_late,
            insights.headline,
            insights.body,
            insights.speaker,
            insights.claim_type,
            insights.entities,
            insights.quotes,
            insights.names,
            insights.quotes[1].start as starts_at_seconds,
            lifted.score,
            selection.marginal_score,
            lifted.salience,
            lifted.specificity,
            lifted.evidence,
            lifted.novelty,
            lifted.corroboration,
            lifted.freshness,
            lifted.feed_weight,
            lifted.independent_shows,
            lifted.also_in,
            coalesce(
                nullif(
                    array_to_string(
                        list_transform(
                            list_filter(lifted.lifts, lambda found:found.lift > 0.001)[
                                1:2
                            ],
                            lambda found:found.reason
                        ),
                        ', '
                    ),
                    ''
                ),
                'passed every gate of the day'
            ) as why,
            case
                when len(lifted.also_in_before) > 0
                then
                    {{ ordinal("lifted.independent_shows + 1") }}
                    || ' show to say this since '
                    || strftime(lifted.also_in[1].day, '%-d %b')
                    || ': '
                    || {{ show_titles("lifted.also_in") }}
                when len(lifted.also_in) > 0
                then 'Also said today by ' || {{ show_titles("lifted.also_in") }}
            end as memory,
            insights.embedding,
            insights.embedding_model,
            insights.engine,
            insights.model,
            insights.prompt_version,
            insights.transcript_key
        from selection
        inner join lifted using (insight_id)
        inner join insights using (insight_id)
        inner join episodes on lifted.episode_id = episodes.episode_id
    )

select *
from final
