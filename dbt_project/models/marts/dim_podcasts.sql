{{ config(materialized="table") }}

with
    ledger as (
        select
            feed_id,
            arg_max(show_title, day) as show_title,
            arg_max(show_url, day) as show_url,
            arg_max(network, day) as network,
            arg_max(publisher, day) as publisher,
            arg_max(feed_weight, day) as feed_weight,
            min(day) as first_day,
            max(day) as last_day,
            sum(picks) as picks
        from {{ ref("fct_episode_ledger") }}
        group by feed_id
    ),

    health as (select * from {{ ref("feed_health") }}),

    rhythms as (select * from {{ ref("int_rhythms") }}),

    final as (
        select
            health.feed_id,
            health.title,
            health.url,
            ledger.show_url,
            ledger.network,
            coalesce(ledger.publisher, lower(trim(health.title))) as publisher,
            ledger.feed_weight,
            ledger.first_day,
            ledger.last_day,
            rhythms.last_published_at,
            coalesce(rhythms.episodes, 0) as episodes,
            cast(coalesce(ledger.picks, 0) as bigint) as picks,
            rhythms.rhythm_days
        from health
        left join ledger using (feed_id)
        left join rhythms using (feed_id)
    )

select *
from final
