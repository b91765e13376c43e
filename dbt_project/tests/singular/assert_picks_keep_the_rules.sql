-- The digest's promises, checked on what was chosen: ranks without a gap, caps,
-- distance, nothing told before.
with
    picks as (
        select * from {{ ref("daily_top_insights") }} where day = {{ processed_day() }}
    ),

    shows as (
        select 'show_cap' as broken, show_title as subject
        from picks
        group by show_title
        having count(*) > {{ var("show_cap") }}
    ),

    episodes as (
        select 'episode_cap' as broken, canonical_episode_id as subject
        from picks
        group by canonical_episode_id
        having count(*) > {{ var("episode_cap_relaxed") }}
    ),

    ranks as (
        select 'ranks' as broken, cast(max(rank) as varchar) as subject
        from picks
        having
            max(rank) <> count(*)
            or count(*) > {{ var("digest_size") }}
            or count(distinct rank) <> count(*)
    ),

    near as (
        select 'variety' as broken, pairs.insight_id as subject
        from {{ ref("int_claim_pairs") }} as pairs
        inner join picks as mine on pairs.insight_id = mine.insight_id
        inner join picks as other on pairs.other_insight_id = other.insight_id
        where
            pairs.other_role = 'candidate'
            and pairs.nearness >= {{ var("variety_nearness") }}
    ),

    told as (
        select 'told_before' as broken, pairs.insight_id as subject
        from {{ ref("int_claim_pairs") }} as pairs
        inner join picks using (insight_id)
        where pairs.other_role = 'told' and pairs.is_same_claim
    )

select *
from shows
union all
select *
from episodes
union all
select *
from ranks
union all
select *
from near
union all
select *
from told
