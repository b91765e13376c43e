with
    ledger as (
        select * from {{ ref("fct_episode_ledger") }} where day = {{ processed_day() }}
    ),

    insights as (
        select * from {{ ref("fct_insights") }} where day = {{ processed_day() }}
    ),

    extractions as (
        select * from {{ ref("stg_extractions") }} where day = {{ processed_day() }}
    ),

    left_out as (
        select
            list(
                {'state':state, 'reason':reason, 'episodes':episodes}
                order by state, episodes desc, reason
            ) as left_out
        from
            (
                select state, reason, count(*) as episodes
                from ledger
                where state <> 'included'
                group by state, reason
            )
    ),

    fates as (
        select
            list(
                {'fate':fate, 'candidates':candidates} order by candidates desc, fate
            ) as fates
        from (select fate, count(*) as candidates from insights group by fate)
    ),

    by_episode as (
        select
            count(*) as episodes,
            count(distinct show_title) as shows,
            count(*) filter (
                where state in ('included', 'considered')
            ) as episodes_considered,
            count(distinct show_title) filter (
                where state in ('included', 'considered')
            ) as shows_considered,
            count(*) filter (where state = 'included') as included,
            count(*) filter (where state = 'considered') as considered,
            count(*) filter (where state = 'rejected') as rejected,
            count(*) filter (where state = 'pending') as pending,
            count(*) filter (where state = 'deferred') as deferred,
            count(*) filter (where state = 'given_up') as given_up
        from ledger
    ),

    by_insight as (
        select
            count(*) as candidates,
            count(*) filter (where fate = 'chosen') as picks,
            count(*) filter (where fate = 'chosen' and is_late) as late_picks
        from insights
    ),

    spent as (select coalesce(sum(cost_usd), 0) as cost_usd from extractions),

    final as (
        select
            {{ processed_day() }} as day,
            by_episode.*,
            by_insight.*,
            coalesce(left_out.left_out, []) as left_out,
            coalesce(fates.fates, []) as fates,
            spent.cost_usd
        from by_episode
        cross join by_insight
        cross join left_out
        cross join fates
        cross join spent
    )

select *
from final
