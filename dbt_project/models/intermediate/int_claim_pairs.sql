{{ config(materialized="table") }}

with
    claims as (select * from {{ ref("int_claims") }}),

    candidates as (select * from claims where role = 'candidate'),

    by_vector as (
        select
            candidates.insight_id,
            claims.role as other_role,
            claims.day as other_day,
            claims.insight_id as other_insight_id,
            -- A case and no join key: a hash join would copy both vectors for each
            -- pair.
            case
                when candidates.vector_space = claims.vector_space
                then list_cosine_similarity(candidates.embedding, claims.embedding)
            end as similarity
        from candidates
        cross join claims
        -- The upper bound leaves out NaN, which a vector of zeros gives.
        where similarity between {{ related_nearness() }} and 2
    ),

    candidate_stems as (
        select insight_id, vector_space, len(stems) as stem_count, unnest(stems) as stem
        from candidates
    ),

    claim_stems as (
        select
            role,
            day,
            insight_id,
            vector_space,
            len(stems) as stem_count,
            unnest(stems) as stem
        from claims
    ),

    by_words as (
        select
            candidate_stems.insight_id,
            claim_stems.role as other_role,
            claim_stems.day as other_day,
            claim_stems.insight_id as other_insight_id,
            {{ var("lexical_base") }}
            + {{ var("lexical_slope") }}
            * count(*)
            / any_value(
                least(candidate_stems.stem_count, claim_stems.stem_count)
            ) as similarity
        from candidate_stems
        inner join
            claim_stems
            on candidate_stems.stem = claim_stems.stem
            and coalesce(candidate_stems.vector_space <> claim_stems.vector_space, true)
        group by all
        having similarity >= {{ related_nearness() }}
    ),

    matched as (
        select *, 'vector' as compared_by
        from by_vector
        union all
        select *, 'words' as compared_by
        from by_words
    ),

    compared as (
        select
            matched.*,
            others.canonical_episode_id as other_canonical_episode_id,
            others.show_title as other_show_title,
            others.publisher as other_publisher,
            candidates.canonical_episode_id
            = others.canonical_episode_id as is_same_episode,
            candidates.publisher = others.publisher as is_same_publisher,
            -- "40 peak hours" gives two quantities with one number, so numbers count.
            len(
                list_distinct(
                    list_transform(
                        list_intersect(candidates.quantities, others.quantities),
                        lambda quantity:split_part(quantity, ' ', 1)
                    )
                )
            ) as shared_quantities,
            len(list_intersect(candidates.names, others.names)) as shared_names,
            candidates.denies <> others.denies as is_denial
        from matched
        inner join candidates on matched.insight_id = candidates.insight_id
        inner join
            claims as others
            on matched.other_role = others.role
            and matched.other_day = others.day
            and matched.other_insight_id = others.insight_id
        where
            not (
                matched.other_role = 'candidate'
                and matched.insight_id = matched.other_insight_id
            )
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
        select *, nearness >= {{ var("same_claim_nearness") }} as is_same_claim
        from near
    )

select *
from final
