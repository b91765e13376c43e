with
    candidates as (select * from {{ ref("int_candidates") }}),

    chosen_before as (select * from {{ ref("int_chosen_before") }}),

    -- A role is a constant of its branch, so whoever asks for one role reads no other.
    claims as (
        {%- for role, condition in (
            ("candidate", "day = " ~ processed_day()),
            ("heard", "day < " ~ processed_day() ~ " and is_trusted"),
        ) %}
            select
                '{{ role }}' as role,
                day,
                insight_id,
                canonical_episode_id,
                show_title,
                publisher,
                headline,
                body,
                entities,
                episode_url,
                embedding,
                embedding_model
            from candidates
            where {{ condition }}

            union all by name
        {% endfor %}
        select 'told' as role, *
        from chosen_before
    ),

    final as (
        select
            * exclude (embedding_model),
            case
                when
                    not starts_with(
                        embedding_model, '{{ var("lexical_embedding_prefix") }}'
                    )
                then embedding_model
            end as vector_space
        from claims
    )

select *
from final
