with
    related as (
        select
            *,
            other_day as day,
            other_show_title as show_title,
            row_number() over (
                partition by insight_id
                order by nearness desc, other_day desc, other_insight_id
            ) as place
        from {{ ref("int_claim_pairs") }}
        where
            other_role = 'told'
            and not is_same_claim
            and not is_denial
            and not is_same_episode
            and nearness >= {{ var("related_shown_nearness") }}
    ),

    final as (
        select insight_id, list({{ claim_link() }} order by place) as related
        from related
        where place <= {{ var("links_shown") }}
        group by insight_id
    )

select *
from final
