-- The memory is this project's own output of earlier days. A ref to
-- daily_top_insights would be a cycle, since that model depends on
-- this one; on the first day of all it does not exist yet,
-- and a candidate has the same columns.
{%- set chosen = (
    adapter.get_relation(this.database, this.schema, "daily_top_insights")
    if execute
    else none
) %}

with
    chosen as (
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
        {% if chosen %} from {{ chosen }}
        {% else %} from {{ ref("int_candidates") }} where false
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
