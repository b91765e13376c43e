-- The memory is this project's own output of earlier days. A ref to
-- daily_top_insights would be a cycle, since that model depends on
-- this one; on the first day of all it does not exist yet.
{%- set chosen = (
    adapter.get_relation(this.database, this.schema, "daily_top_insights")
    if execute
    else none
) %}

with
    chosen as (
        {% if chosen %}
            select
                day,
                insight_id,
                canonical_episode_id,
                show_title,
                publisher,
                headline,
                body,
                entities,
                episode_url,
                embedding,
                embedding_model
            from {{ chosen }}
        {% else %}
            select
                cast(null as date) as day,
                cast(null as varchar) as insight_id,
                cast(null as varchar) as canonical_episode_id,
                cast(null as varchar) as show_title,
                cast(null as varchar) as publisher,
                cast(null as varchar) as headline,
                cast(null as varchar) as body,
                cast(null as varchar[]) as entities,
                cast(null as varchar) as episode_url,
                cast(null as float[]) as embedding,
                cast(null as varchar) as embedding_model
        {% endif %}
    ),

    final as (
        select *
        from chosen
        where
            day < {{ processed_day() }}
            and day >= {{ processed_day() }} - {{ var("memory_days") }}
    )

select *
from final
