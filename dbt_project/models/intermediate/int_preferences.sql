{#- Settings name feeds by title or id, and topics by words; both come as variables. -#}
with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    feeds as (
        select *
        from
            (
                values
                    (cast(null as varchar), cast(null as double))
                    {%- for name, weight in var("feed_weights").items() %}
                        , ({{ sql_text(name | lower | trim) }}, {{ weight | float }})
                    {%- endfor %}
            ) as listed(name, weight)
    ),

    topics as (
        select *
        from
            (
                values
                    (cast(null as varchar), cast(null as varchar), cast(null as double))
                    {%- for topic in var("topics") %}
                        {%- for word in topic.words %}
                            ,
                            (
                                {{ sql_text(topic.name) }},
                                '(?:^|[^a-z0-9])'
                                || regexp_escape({{ sql_text(word | lower | trim) }})
                                || '(?:s|es)?(?:$|[^a-z0-9])',
                                {{ topic.weight | float }}
                            )
                        {%- endfor %}
                    {%- endfor %}
            ) as listed(name, pattern, weight)
    ),

    touched as (
        select insight_id, list(name order by name) as topics, avg(weight) as weight
        from
            (
                select distinct candidates.insight_id, topics.name, topics.weight
                from candidates
                inner join
                    topics
                    on regexp_matches(
                        lower(
                            concat_ws(
                                ' ',
                                candidates.headline,
                                candidates.body,
                                array_to_string(candidates.entities, ' ')
                            )
                        ),
                        topics.pattern
                    )
            )
        group by insight_id
    ),

    final as (
        select
            candidates.insight_id,
            coalesce(
                by_id.weight, by_title.weight, candidates.feed_weight
            ) as preferred_feed_weight,
            coalesce(touched.topics, []) as topics,
            coalesce(touched.weight, {{ var("preference_full") }} / 2) as topic_weight
        from candidates
        left join feeds as by_id on candidates.feed_id = by_id.name
        left join feeds as by_title on candidates.show_key = by_title.name
        left join touched using (insight_id)
    )

select *
from final
