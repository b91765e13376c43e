with
    episodes as (
        select
            feed_id,
            episode_id,
            any_value(published_at) as published_at,
            min(day) as first_day
        from {{ ref("fct_episode_ledger") }}
        group by feed_id, episode_id
    ),

    gaps as (
        select
            *,
            date_diff(
                'hour',
                lag(published_at) over (partition by feed_id order by published_at),
                published_at
            )
            / 24.0 as gap_days
        from episodes
    ),

    final as (
        select
            feed_id,
            count(*) as episodes,
            max(published_at) as last_published_at,
            case
                when count(gap_days) >= {{ var("rhythm_episodes") }} - 1
                then median(gap_days)
            end as rhythm_days
        from gaps
        group by feed_id
    )

select *
from final
