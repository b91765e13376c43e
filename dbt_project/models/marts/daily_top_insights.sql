{%- set reasons = [
    ("salience", "weight_salience", "strong claim"),
    ("specificity", "weight_specificity", "exact numbers and names"),
    ("evidence", "weight_evidence", "well evidenced"),
    ("novelty", "weight_novelty", "nothing like it sent before"),
    ("corroboration", "weight_corroboration", "said by independent shows"),
    ("freshness", "weight_freshness", "fresh"),
    ("feed_weight", "weight_feed", "a show you favour"),
    ("topic_preference", "weight_topics", "a topic you favour"),
] %}

with
    insights as (
        select * from {{ ref("fct_insights") }} where day = {{ processed_day() }}
    ),

    picks as (select * from insights where fate = 'chosen'),

    selection as (select * from {{ ref("int_selection") }}),

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
                order by selection.rank
            ) as runners_up
        from insights
        inner join selection using (insight_id)
        where not selection.is_pick
    ),

    scored as (select insight_id, available_on, embedding from {{ ref("int_scored") }}),

    related as (select * from {{ ref("int_related") }}),

    -- A reason is a component that is better than the day's average, not one that
    -- weighs most; those come first that set it apart from the other picks.
    {% for name, rows in (("average", "insights"), ("chosen", "picks")) %}
        {{ name }} as (
            select
                {% for component, weight, reason in reasons %}
                    avg({{ component }}) as {{ component }}{{ "," if not loop.last }}
                {% endfor %}
            from {{ rows }}
        ),
    {% endfor %}

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
                    {% for component, weight, reason in reasons %}
                        {
                            'apart':{{ lift(component, weight, "chosen") }},
                            'lift':{{ lift(component, weight, "average") }},
                            'reason':'{{ reason }}'
                        }{{ "," if not loop.last }}
                    {% endfor %}
                ],
                'desc'
            ) as lifts
        from picks
        inner join scored using (insight_id)
        inner join selection using (insight_id)
        left join related using (insight_id)
        cross join runners_up
        cross join average
        cross join chosen
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
                            -- That it is new the line beside it may say already.
                            list_filter(
                                lifts,
                                lambda found:found.lift > 0.001
                                and not (
                                    found.reason = 'nothing like it sent before'
                                    and coalesce(
                                        heard_line = 'First heard here.', false
                                    )
                                )
                            )[1:2],
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
