{{ config(materialized="table") }}

-- Greedy choice with variety (maximal marginal relevance): each step takes the
-- candidate that is worth most beside those taken before it. An episode's second
-- insight waits until no other episode has one: so the cap on episodes is relaxed
-- exactly where fewer than digest_size would result. What the same steps would have
-- taken after the last place are the runners-up.
with recursive
    candidates as (
        select insight_id, show_key, canonical_episode_id, score, salience
        from {{ ref("int_scored") }}
        where not is_below_floor and not is_already_told and duplicate_of is null
    ),

    pairs as (
        select insight_id, other_insight_id, nearness
        from {{ ref("int_claim_pairs") }}
        where other_role = 'candidate'
    ),

    picks as (
        select
            0 as rank,
            cast(null as varchar) as insight_id,
            cast(null as double) as marginal_score,
            cast([] as varchar[]) as taken,
            cast([] as varchar[]) as taken_shows,
            cast([] as varchar[]) as taken_episodes

        union all

        (
            select
                rank + 1 as rank,
                insight_id,
                round(
                    score
                    - {{ var("variety_weight") }} * {{ nearness_share("nearest") }},
                    6
                ) as marginal_score,
                list_append(taken, insight_id) as taken,
                list_append(taken_shows, show_key) as taken_shows,
                list_append(taken_episodes, canonical_episode_id) as taken_episodes
            from
                (
                    select
                        picks.* exclude (insight_id, marginal_score),
                        candidates.*,
                        {{
                            occurrences(
                                "picks.taken_episodes",
                                "candidates.canonical_episode_id",
                            )
                        }} as from_episode,
                        (
                            select max(pairs.nearness)
                            from pairs
                            where
                                pairs.insight_id = candidates.insight_id
                                and list_contains(picks.taken, pairs.other_insight_id)
                        ) as nearest
                    from picks
                    cross join candidates
                    where
                        picks.rank < {{ var("digest_size") + var("runners_up") }}
                        and not list_contains(picks.taken, candidates.insight_id)
                        and {{ occurrences("picks.taken_shows", "candidates.show_key") }}
                        < {{ var("show_cap") }}
                )
            where
                from_episode < {{ var("episode_cap_relaxed") }}
                and coalesce(nearest, 0) < {{ var("variety_nearness") }}
            order by
                from_episode >= {{ var("episode_cap") }},
                marginal_score desc,
                salience desc,
                insight_id
            limit 1
        )
    ),

    final as (
        select
            rank,
            insight_id,
            marginal_score,
            rank <= {{ var("digest_size") }} as is_pick
        from picks
        where rank > 0
    )

select *
from final
