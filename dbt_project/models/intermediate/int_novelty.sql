with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    told as (
        select
            *,
            {{ nearness_share("nearness") }} * pow(
                0.5,
                date_diff('day', other_day, {{ processed_day() }})
                / {{ var("novelty_half_life_days") }}
            ) as remembered
        from {{ ref("int_claim_pairs") }}
        where other_role = 'told'
    ),

    nearest as (
        select *, max(remembered) over (partition by insight_id) as most_remembered
        from told
        qualify
            row_number() over (
                partition by insight_id
                order by is_same_claim desc, nearness desc, other_day, other_insight_id
            )
            = 1
    ),

    final as (
        select
            candidates.insight_id,
            1 - coalesce(nearest.most_remembered, 0) as novelty,
            coalesce(nearest.is_same_claim, false) as is_already_told,
            nearest.other_day as nearest_told_on,
            nearest.other_insight_id as nearest_told_insight_id,
            nearest.other_show_title as nearest_told_by,
            nearest.other_headline as nearest_told_headline,
            nearest.other_publisher as nearest_told_publisher
        from candidates
        left join nearest using (insight_id)
    )

select *
from final
