{{ config(materialized="table") }}

with
    claims as (select * from {{ ref("int_compared_claims") }}),

    matched as (
        select *, 'vector' as compared_by
        from {{ ref("int_vector_pairs") }}
        union all by name
        select *, 'words' as compared_by
        from {{ ref("int_word_pairs") }}
    ),

    compared as (
        select
            matched.*,
            others.show_title as other_show_title,
            others.publisher as other_publisher,
            others.headline as other_headline,
            others.episode_url as other_episode_url,
            mine.canonical_episode_id = others.canonical_episode_id as is_same_episode,
            mine.publisher = others.publisher as is_same_publisher,
            -- "40 peak hours" gives two quantities with one number, so numbers count.
            len(
                list_distinct(
                    list_transform(
                        list_intersect(mine.quantities, others.quantities),
                        lambda quantity:split_part(quantity, ' ', 1)
                    )
                )
            ) as shared_quantities,
            len(list_intersect(mine.names, others.names)) as shared_names,
            -- Who denies a fall says what he says who sees a rise: two reversals are
            -- none.
            (mine.denies <> others.denies)
            <> (mine.direction * others.direction = -1) as is_denial
        from matched
        inner join
            claims as mine
            on mine.role = 'candidate'
            and matched.insight_id = mine.insight_id
        inner join
            claims as others
            on matched.other_role = others.role
            and matched.other_day = others.day
            and matched.other_insight_id = others.insight_id
    ),

    near as (
        select
            *,
            round(
                similarity
                + {{ var("quantity_bonus") }}
                * least(shared_quantities, {{ var("quantity_bonus_max") }})
                + {{ var("name_bonus") }}
                * least(shared_names, {{ var("name_bonus_max") }})
                - case when is_denial then {{ var("denial_penalty") }} else 0 end,
                6
            ) as nearness
        from compared
    ),

    final as (
        select
            *,
            not is_denial
            and nearness >= {{ var("same_claim_nearness") }} as is_same_claim
        from near
    )

select *
from final
