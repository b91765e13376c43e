with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    nearest as (
        select *
        from {{ ref("int_claim_pairs") }}
        where other_role = 'told'
        qualify
            row_number() over (
                partition by insight_id
                order by nearness desc, other_day, other_insight_id
            )
            = 1
    ),

    final as (
        select
            candidates.insight_id,
            1 - {{ nearness_share("nearest.nearness") }} as novelty,
            coalesce(nearest.is_same_claim, false) as is_already_told,
            nearest.other_day as nearest_told_on,
            nearest.other_insight_id as nearest_told_insight_id,
            nearest.other_show_title as nearest_told_by,
            nearest.nearness as nearest_told_nearness
        from candidates
        left join nearest using (insight_id)
    )

select *
from final
