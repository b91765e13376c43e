with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    -- The shows of one network repeat each other, so they count once, and the
    -- candidate's own network not at all.
    independent as (
        select
            insight_id,
            other_publisher,
            other_day as day,
            other_show_title as show_title,
            other_insight_id,
            other_headline,
            other_episode_url
        from {{ ref("int_claim_pairs") }}
        where
            other_role in ('candidate', 'heard')
            and is_same_claim
            and not is_same_publisher
            and not is_same_episode
        qualify
            row_number() over (
                partition by insight_id, other_publisher
                order by other_day, other_show_title, nearness desc, other_insight_id
            )
            = 1
    ),

    gathered as (
        select
            insight_id,
            count(*) as independent_shows,
            list({{ claim_link() }} order by day, show_title) as also_in
        from independent
        group by insight_id
    ),

    final as (
        select
            candidates.insight_id,
            coalesce(gathered.independent_shows, 0) as independent_shows,
            coalesce(gathered.also_in, []) as also_in,
            least(
                1,
                coalesce(gathered.independent_shows, 0)
                / {{ var("corroboration_full") }}
            ) as corroboration
        from candidates
        left join gathered using (insight_id)
    )

select *
from final
