with
    selection as (select * from {{ ref("int_selection") }}),

    scored as (select * from {{ ref("int_scored") }}),

    related as (select * from {{ ref("int_related") }}),

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
            avg(feed_weight) as feed_weight,
            avg(topic_preference) as topic_preference
        from scored
    ),

    memory as (
        select count(*) > 0 as has_earlier_days from {{ ref("int_chosen_before") }}
    ),

    lifted as (
        select
            scored.*,
            selection.rank,
            selection.marginal_score,
            coalesce(related.related, []) as related,
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
                    },
                    {
                        'lift':{{ lift("topic_preference", "weight_topics") }},
                        'reason':'a topic you favour'
                    }
                ],
                'desc'
            ) as lifts,
            {{ heard_line() }} as heard_line,
            {{ disagreement_line() }} as disagreement_line
        from selection
        inner join scored using (insight_id)
        left join related using (insight_id)
        cross join average
        cross join memory
    ),

    final as (
        select
            day,
            rank,
            insight_id,
            episode_id,
            canonical_episode_id,
            feed_id,
            show_title,
            show_url,
            publisher,
            episode_title,
            episode_url,
            audio_url,
            published_at,
            available_on,
            is_late,
            headline,
            body,
            speaker,
            claim_type,
            entities,
            quotes,
            names,
            starts_at_seconds,
            times_may_drift,
            topics,
            score,
            marginal_score,
            salience,
            specificity,
            evidence,
            novelty,
            corroboration,
            freshness,
            feed_weight,
            topic_preference,
            independent_shows,
            also_in,
            disagrees_with,
            related,
            coalesce(
                nullif(
                    array_to_string(
                        list_transform(
                            list_filter(lifts, lambda found:found.lift > 0.001)[1:2],
                            lambda found:found.reason
                        ),
                        ', '
                    ),
                    ''
                ),
                'passed every gate of the day'
            ) as why,
            nullif(concat_ws(' ', heard_line, disagreement_line), '') as memory,
            list_concat(also_in, disagrees_with) as memory_links,
            embedding,
            embedding_model,
            engine,
            model,
            prompt_version,
            transcript_key
        from lifted
    )

select *
from final
