{{ config(materialized="table") }}

-- Only pairs without two vectors of one space. The space is part of the join's key:
-- a day on which every claim has a vector joins nothing.
with
    claims as (
        select * exclude (vector_space), coalesce(vector_space, '') as space
        from {{ ref("int_claims") }}
    ),

    spaces as (
        select distinct mine.space as candidate_space, others.space
        from (select distinct space from claims where role = 'candidate') as mine
        inner join
            (select distinct space from claims) as others
            on mine.space <> others.space
            or mine.space = ''
    ),

    -- A join with nothing reads no text; a condition would read them all.
    wanted as (
        select space
        from spaces
        union
        select candidate_space as space
        from spaces
    ),

    read_words as (
        select role, day, insight_id, space, {{ content_stems("body") }} as stems
        from claims
        semi join wanted using (space)
    ),

    candidate_stems as (
        select
            read_words.insight_id,
            spaces.space,
            len(read_words.stems) as stem_count,
            unnest(read_words.stems) as stem
        from read_words
        inner join spaces on read_words.space = spaces.candidate_space
        where read_words.role = 'candidate'
    ),

    claim_stems as (
        select
            role,
            day,
            insight_id,
            space,
            len(stems) as stem_count,
            unnest(stems) as stem
        from read_words
    ),

    matched as (
        select
            candidate_stems.insight_id,
            claim_stems.role as other_role,
            claim_stems.day as other_day,
            claim_stems.insight_id as other_insight_id,
            round(
                {{ var("lexical_base") }}
                + {{ var("lexical_slope") }}
                * count(*)
                / any_value(least(candidate_stems.stem_count, claim_stems.stem_count)),
                6
            ) as similarity
        from candidate_stems
        inner join
            claim_stems
            on candidate_stems.stem = claim_stems.stem
            and candidate_stems.space = claim_stems.space
        where
            not (
                claim_stems.role = 'candidate'
                and candidate_stems.insight_id = claim_stems.insight_id
            )
        group by all
        having similarity >= {{ related_nearness() }}
    ),

    final as (
        select *
        from matched
        qualify
            row_number() over (
                partition by insight_id, other_role
                order by similarity desc, other_day desc, other_insight_id
            )
            <= {{ var("nearest_kept") }}
    )

select *
from final
