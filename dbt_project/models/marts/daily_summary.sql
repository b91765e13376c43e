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

    transcripts as (
        select * from {{ ref("stg_transcripts") }} where day = {{ processed_day() }}
    ),

    feeds as (
        select count(*) as feeds, count(*) filter (where is_ok) as feeds_healthy
        from
            (
                select feed_id, arg_max(is_ok, scanned_at) as is_ok
                from {{ ref("stg_scans") }}
                where
                    cast(scanned_at as date)
                    between {{ processed_day() }}
                    - {{ var("feed_failing_days") }} and {{ processed_day() }}
                group by feed_id
            )
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
            count(*) filter (where fate = 'chosen' and is_late) as late_picks,
            count(*) filter (
                where
                    len(quotes) > 0
                    and len(list_filter(quotes, lambda quote:quote.start is null)) = 0
            ) as candidates_grounded,
            count(*) filter (
                where
                    fate = 'chosen'
                    and words
                    between {{ var("style_words")[0] }} and {{ var("style_words")[1] }}
                    and length(body)
                    between {{ var("style_characters")[0] }}
                    and {{ var("style_characters")[1] }}
            ) as picks_in_style
        from insights
    ),

    spent as (
        select
            coalesce(sum(cost_usd), 0) as cost_usd,
            coalesce(sum(seconds_taken), 0) as extraction_seconds
        from extractions
    ),

    heard as (
        select
            count(*) filter (where transcript_state = 'ready') as episodes_with_words,
            coalesce(sum(seconds_taken), 0) as transcript_seconds
        from transcripts
    ),

    final as (
        select
            {{ processed_day() }} as day,
            by_episode.*,
            by_insight.*,
            feeds.*,
            heard.episodes_with_words,
            coalesce(left_out.left_out, []) as left_out,
            coalesce(fates.fates, []) as fates,
            spent.cost_usd,
            heard.transcript_seconds + spent.extraction_seconds as seconds
        from by_episode
        cross join by_insight
        cross join left_out
        cross join fates
        cross join spent
        cross join heard
        cross join feeds
    )

select *
from final
