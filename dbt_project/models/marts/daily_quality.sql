{{ config(materialized="table") }}

with
    days as (select * from {{ ref("daily_summary") }}),

    spent as (select day, sum(usd) as usd from {{ ref("fct_spend") }} group by day),

    delivered as (
        select
            day,
            count(*) as deliveries,
            count(*) filter (where state = 'sent') / count(*) as delivery_share
        from {{ ref("fct_deliveries") }}
        group by day
    ),

    final as (
        select
            days.day,
            days.feeds,
            days.feeds_healthy / nullif(days.feeds, 0) as feeds_healthy_share,
            days.episodes,
            days.episodes_with_words / nullif(days.episodes, 0) as transcript_coverage,
            days.candidates,
            days.candidates_grounded / nullif(days.candidates, 0) as grounded_share,
            days.picks_in_style / nullif(days.picks, 0) as style_share,
            days.candidates
            / nullif(days.episodes_considered, 0) as insights_per_episode,
            days.picks,
            coalesce(spent.usd, days.cost_usd) as cost_usd,
            days.seconds,
            coalesce(delivered.deliveries, 0) as deliveries,
            delivered.delivery_share
        from days
        left join spent using (day)
        left join delivered using (day)
    )

select *
from final
