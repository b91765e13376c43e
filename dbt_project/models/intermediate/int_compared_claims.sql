{{ config(materialized="table") }}

with
    pairs as (
        select insight_id, other_role, other_day, other_insight_id
        from {{ ref("int_vector_pairs") }}
        union all
        select insight_id, other_role, other_day, other_insight_id
        from {{ ref("int_word_pairs") }}
    ),

    claims as (
        select
            role,
            day,
            insight_id,
            canonical_episode_id,
            show_title,
            publisher,
            headline,
            body,
            entities,
            episode_url
        from {{ ref("int_claims") }}
    ),

    -- Reading a text for its numbers and names costs a hundred times what leaving it
    -- out costs, and most of what was told is near to nothing of the day.
    wanted as (
        select claims.*
        from claims
        where role = 'candidate'
        union all
        select claims.*
        from claims
        semi join
            pairs
            on claims.role = pairs.other_role
            and claims.day = pairs.other_day
            and claims.insight_id = pairs.other_insight_id
        where claims.role <> 'candidate'
    ),

    passages as (select *, {{ counting_passages("body") }} as passages from wanted),

    final as (
        select
            role,
            day,
            insight_id,
            canonical_episode_id,
            show_title,
            publisher,
            headline,
            episode_url,
            {{ quantities("passages") }} as quantities,
            {{ name_words("entities", "body") }} as names,
            {{ denies("body") }} as denies,
            {{ direction("body") }} as direction
        from passages
    )

select *
from final
