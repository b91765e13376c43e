{{ config(materialized="table") }}

with
    candidates as (
        select * from {{ ref("int_candidates") }} where day = {{ processed_day() }}
    ),

    claims as (
        select insight_id, quantities, names
        from {{ ref("int_compared_claims") }}
        where role = 'candidate'
    ),

    novelty as (select * from {{ ref("int_novelty") }}),

    corroboration as (select * from {{ ref("int_corroboration") }}),

    contradictions as (select * from {{ ref("int_contradictions") }}),

    deduplicated as (select * from {{ ref("int_deduplicated") }}),

    preferences as (select * from {{ ref("int_preferences") }}),

    signs as (
        select
            candidates.*,
            novelty.novelty,
            novelty.is_already_told,
            novelty.nearest_told_on,
            novelty.nearest_told_by,
            novelty.nearest_told_insight_id,
            novelty.nearest_told_headline,
            novelty.nearest_told_publisher,
            corroboration.corroboration,
            corroboration.independent_shows,
            corroboration.also_in,
            coalesce(contradictions.disagrees_with, []) as disagrees_with,
            deduplicated.duplicate_of,
            preferences.topics,
            preferences.preferred_feed_weight,
            preferences.topic_weight,
            least(
                1, len(claims.quantities) / {{ var("specificity_full_quantities") }}
            ) as quantity_sign,
            least(
                1, len(claims.names) / {{ var("specificity_full_names") }}
            ) as name_sign,
            (len(candidates.quotes) > 0)::int as quote_sign,
            (
                len(list_filter(candidates.quotes, lambda quote:quote.start is null))
                = 0
            )::int as time_sign,
            (candidates.speaker is not null)::int as speaker_sign,
            date_diff('day', candidates.published_at::date, candidates.day) as age_days
        from candidates
        inner join claims using (insight_id)
        inner join novelty using (insight_id)
        inner join corroboration using (insight_id)
        inner join deduplicated using (insight_id)
        inner join preferences using (insight_id)
        left join contradictions using (insight_id)
    ),

    measured as (
        select
            * replace (
                preferred_feed_weight / {{ var("preference_full") }} as feed_weight
            ),
            topic_weight / {{ var("preference_full") }} as topic_preference,
            {{ var("specificity_quantity_share") }} * quantity_sign
            + (1 - {{ var("specificity_quantity_share") }}) * name_sign as specificity,
            {{ var("evidence_share_trust") }} * trust
            + {{ var("evidence_share_quotes") }} * quote_sign
            + {{ var("evidence_share_times") }} * quote_sign * time_sign
            + {{ var("evidence_share_speaker") }} * speaker_sign as evidence,
            case
                when age_days is null
                then {{ var("freshness_unknown") }}
                else pow(0.5, age_days / {{ var("freshness_half_life_days") }})
            end as freshness
        from signs
    ),

    components as (
        select
            day,
            insight_id,
            episode_id,
            canonical_episode_id,
            feed_id,
            show_title,
            show_url,
            show_key,
            publisher,
            episode_title,
            episode_url,
            audio_url,
            published_at,
            available_on,
            position_in_episode,
            headline,
            body,
            speaker,
            claim_type,
            entities,
            quotes,
            names,
            quotes[1].start as starts_at_seconds,
            times_may_drift,
            words,
            topics,
            embedding,
            embedding_model,
            engine,
            model,
            prompt_version,
            transcript_key,
            is_trusted,
            trust,
            is_late,
            duplicate_of,
            is_already_told,
            nearest_told_on,
            nearest_told_by,
            nearest_told_insight_id,
            nearest_told_headline,
            nearest_told_publisher,
            disagrees_with,
            independent_shows,
            also_in,
            {{ share("salience") }} as salience,
            {{ share("specificity") }} as specificity,
            {{ share("evidence") }} as evidence,
            {{ share("novelty") }} as novelty,
            {{ share("corroboration") }} as corroboration,
            {{ share("freshness") }} as freshness,
            {{ share("feed_weight") }} as feed_weight,
            {{ share("topic_preference") }} as topic_preference
        from measured
    ),

    scored as (
        select
            *,
            round(
                (
                    {{ var("weight_salience") }} * salience
                    + {{ var("weight_specificity") }} * specificity
                    + {{ var("weight_evidence") }} * evidence
                    + {{ var("weight_novelty") }} * novelty
                    + {{ var("weight_corroboration") }} * corroboration
                    + {{ var("weight_freshness") }} * freshness
                    + {{ var("weight_feed") }} * feed_weight
                    + {{ var("weight_topics") }} * topic_preference
                )
                / {{ weight_sum() }},
                6
            ) as score
        from components
    ),

    final as (
        select
            *,
            not is_trusted
            or salience < {{ var("salience_floor") }}
            or score < {{ var("score_floor") }} as is_below_floor
        from scored
    )

select *
from final
