with
    insights as (
        select * from {{ ref("fct_insights") }} where day = {{ processed_day() }}
    ),

    picks as (select * from insights where fate = 'chosen'),

    outranked as (
        select *, row_number() over (order by score desc, insight_id) as place
        from insights
        where fate = 'outranked'
    ),

    runners_up as (
        select
            list(
                {
                    'show_title':show_title,
                    'day':day,
                    'insight_id':insight_id,
                    'headline':headline,
                    'episode_url':episode_url
                }
                order by place
            ) as runners_up
        from outranked
        where place <= {{ var("runners_up") }}
    ),

    selection as (select * from {{ ref("int_selection") }}),

    scored as (select insight_id, available_on, embedding from {{ ref("int_scored") }}),

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
        from insights
    ),

    memory as (
        select count(*) > 0 as has_earlier_days from {{ ref("int_chosen_before") }}
    ),

    lifted as (
        select
            picks.*,
            scored.available_on,
            scored.embedding,
            selection.marginal_score,
            coalesce(related.related, []) as related,
            coalesce(runners_up.runners_up, []) as runners_up,
            {{ heard_line() }} as heard_line,
            {{ disagreement_line() }} as disagreement_line,
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
                        'lift': case
                            -- The line beside it says so already.
                            when heard_line = 'First heard here.'
                            then 0
                            else {{ lift("novelty", "weight_novelty") }}
                        end,
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
            ) as lifts
        from picks
        inner join scored using (insight_id)
        inner join selection using (insight_id)
        left join related using (insight_id)
        cross join runners_up
        cross join average
        cross join memory
    ),

    final as (
        select
            * exclude (
                position_in_episode,
                words,
                fate,
                fate_detail,
                nearest_told_on,
                nearest_told_insight_id,
                nearest_told_by,
                nearest_told_headline,
                is_told_by_same_publisher,
                duplicate_of,
                nearest_pick_insight_id,
                lifts,
                heard_line,
                disagreement_line
            ),
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
                'among the best of the day'
            ) as why,
            nullif(concat_ws(' ', heard_line, disagreement_line), '') as memory,
            list_concat(also_in, disagrees_with) as memory_links
        from lifted
    )

select *
from final
