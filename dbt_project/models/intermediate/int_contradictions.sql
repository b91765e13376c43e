with
    opposed as (
        select
            *,
            other_day as day,
            other_show_title as show_title,
            row_number() over (
                partition by insight_id, other_publisher
                order by other_role = 'told' desc, nearness desc, other_insight_id
            ) as place_of_publisher
        from {{ ref("int_claim_pairs") }}
        where
            is_denial
            and not is_same_publisher
            and not is_same_episode
            and similarity >= {{ var("contradiction_similarity") }}
            and shared_names >= {{ var("contradiction_names") }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by insight_id
                order by
                    other_role = 'told' desc,
                    nearness desc,
                    other_day desc,
                    other_insight_id
            ) as place
        from opposed
        where place_of_publisher = 1
    ),

    final as (
        select insight_id, list({{ claim_link() }} order by place) as disagrees_with
        from ranked
        where place <= {{ var("links_shown") }}
        group by insight_id
    )

select *
from final
