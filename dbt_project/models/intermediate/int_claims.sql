{{ config(materialized="table") }}

with
    candidates as (select * from {{ ref("int_candidates") }}),

    chosen_before as (select * from {{ ref("int_chosen_before") }}),

    claims as (
        select
            case
                when day = {{ processed_day() }} then 'candidate' else 'heard'
            end as role,
            day,
            insight_id,
            canonical_episode_id,
            show_title,
            publisher,
            body,
            entities,
            embedding,
            embedding_model
        from candidates
        where day = {{ processed_day() }} or is_trusted

        union all

        select
            'told' as role,
            day,
            insight_id,
            canonical_episode_id,
            show_title,
            publisher,
            body,
            entities,
            embedding,
            embedding_model
        from chosen_before
    ),

    normalised as (select *, {{ normalised_text("body") }} as text from claims),

    final as (
        select
            role,
            day,
            insight_id,
            canonical_episode_id,
            show_title,
            publisher,
            case when len(embedding) > 0 then embedding end as embedding,
            case
                when
                    len(embedding) > 0
                    and not starts_with(
                        embedding_model, '{{ var("lexical_embedding_prefix") }}'
                    )
                then embedding_model || '/' || len(embedding)
            end as vector_space,
            {{ quantities("text") }} as quantities,
            {{ name_words("entities", "body") }} as names,
            {{ content_stems("text") }} as stems,
            {{ denies("text") }} as denies
        from normalised
    )

select *
from final
