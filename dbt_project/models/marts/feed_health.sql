{{ config(materialized="table") }}

with
    scans as (select * from {{ ref("stg_scans") }}),

    ledger as (
        select feed_id, arg_max(show_title, day) as show_title
        from {{ ref("fct_episode_ledger") }}
        group by feed_id
    ),

    rhythms as (select * from {{ ref("int_rhythms") }}),

    latest as (select max(day) as day from {{ ref("daily_summary") }}),

    scanned as (
        select
            feed_id,
            arg_max(show_title, scanned_at) as show_title,
            arg_max(masked_url, scanned_at) as masked_url,
            arg_max(is_ok, scanned_at) as is_ok,
            arg_max(reason, scanned_at) as reason,
            arg_max(message, scanned_at) as message,
            min(scanned_at) as first_scanned_at,
            max(scanned_at) as last_scanned_at,
            max(scanned_at) filter (where is_ok) as last_success_at
        from scans
        group by feed_id
    ),

    joined as (
        select
            coalesce(scanned.feed_id, ledger.feed_id) as feed_id,
            coalesce(nullif(scanned.show_title, ''), ledger.show_title, '') as title,
            scanned.masked_url as url,
            scanned.last_scanned_at,
            scanned.last_success_at,
            scanned.is_ok,
            scanned.reason,
            scanned.message,
            case
                when scanned.is_ok
                then 0
                else
                    date_diff(
                        'day',
                        coalesce(scanned.last_success_at, scanned.first_scanned_at),
                        scanned.last_scanned_at
                    )
            end as failing_days,
            rhythms.last_published_at,
            rhythms.rhythm_days,
            case
                when rhythms.last_published_at is not null
                then
                    greatest(
                        0, date_diff('day', rhythms.last_published_at::date, latest.day)
                    )
            end as silent_days
        from scanned
        full join ledger using (feed_id)
        left join rhythms on rhythms.feed_id = coalesce(scanned.feed_id, ledger.feed_id)
        cross join latest
    ),

    final as (
        select
            feed_id,
            title,
            url,
            last_scanned_at,
            last_success_at,
            reason,
            message,
            failing_days,
            coalesce(
                is_ok or failing_days < {{ var("feed_failing_days") }}, true
            ) as is_healthy,
            last_published_at,
            rhythm_days,
            silent_days,
            silent_days / nullif(rhythm_days, 0) as silence,
            coalesce(
                silent_days > {{ var("silence_factor") }} * rhythm_days, false
            ) as is_silent
        from joined
    )

select *
from final
