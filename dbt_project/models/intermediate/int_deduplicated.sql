with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    -- Only what one episode says twice is one candidate: two shows that say the same
    -- are two, and corroborate each other.
    repeats as (
        select insight_id, other_insight_id
        from {{ ref("int_claim_pairs") }}
        where other_role = 'candidate' and is_same_episode and is_same_claim
    ),

    ordered as (
        select
            insight_id,
            row_number() over (
                order by salience desc, position_in_episode, episode_id, insight_id
            ) as preference
        from candidates
    ),

    better as (
        select
            mine.insight_id,
            min_by(theirs.insight_id, theirs.preference) as duplicate_of
        from repeats
        inner join ordered as mine on repeats.insight_id = mine.insight_id
        inner join ordered as theirs on repeats.other_insight_id = theirs.insight_id
        where theirs.preference < mine.preference
        group by mine.insight_id
    ),

    final as (
        select candidates.insight_id, better.duplicate_of
        from candidates
        left join better using (insight_id)
    )

select *
from final
