with
    scored as (select * from {{ ref("int_scored") }}),

    picks as (
        select
            selection.insight_id,
            selection.rank,
            scored.show_key,
            scored.canonical_episode_id
        from {{ ref("int_selection") }} as selection
        inner join scored using (insight_id)
        where selection.is_pick
    ),

    nearest_pick as (
        select
            pairs.insight_id,
            pairs.other_insight_id as nearest_pick_insight_id,
            picks.rank as nearest_pick_rank
        from {{ ref("int_claim_pairs") }} as pairs
        inner join picks on pairs.other_insight_id = picks.insight_id
        where
            pairs.other_role = 'candidate'
            and pairs.nearness >= {{ var("variety_nearness") }}
        qualify
            row_number() over (
                partition by pairs.insight_id order by pairs.nearness desc, picks.rank
            )
            = 1
    ),

    show_picks as (
        select show_key, count(*) as picks_of_show from picks group by show_key
    ),

    episode_picks as (
        select canonical_episode_id, count(*) as picks_of_episode
        from picks
        group by canonical_episode_id
    ),

    decided as (
        select
            scored.*,
            picks.rank,
            nearest_pick.nearest_pick_insight_id,
            nearest_pick.nearest_pick_rank,
            case
                when picks.rank is not null
                then 'chosen'
                when scored.is_already_told
                then 'already_told'
                when
                    scored.duplicate_of is not null
                    or nearest_pick.nearest_pick_insight_id is not null
                then 'too_similar'
                when scored.is_below_floor
                then 'below_floor'
                when coalesce(show_picks.picks_of_show, 0) >= {{ var("show_cap") }}
                then 'show_cap'
                when
                    coalesce(episode_picks.picks_of_episode, 0)
                    >= {{ var("episode_cap") }}
                then 'episode_cap'
                else 'outranked'
            end as fate
        from scored
        left join picks on scored.insight_id = picks.insight_id
        left join nearest_pick on scored.insight_id = nearest_pick.insight_id
        left join show_picks on scored.show_key = show_picks.show_key
        left join
            episode_picks
            on scored.canonical_episode_id = episode_picks.canonical_episode_id
    ),

    final as (
        select
            day,
            insight_id,
            episode_id,
            canonical_episode_id,
            feed_id,
            show_title,
            show_url,
            publisher,
            episode_title,
            episode_url,
            audio_url,
            published_at,
            is_late,
            position_in_episode,
            headline,
            body,
            speaker,
            claim_type,
            entities,
            quotes,
            names,
            starts_at_seconds,
            times_may_drift,
            words,
            topics,
            fate,
            case
                when fate = 'chosen'
                then 'number ' || rank || ' of the day'
                when fate = 'already_told'
                then 'sent on ' || nearest_told_on || ', then from ' || nearest_told_by
                when fate = 'too_similar' and nearest_pick_rank is not null
                then 'too near to number ' || nearest_pick_rank
                when fate = 'too_similar'
                then 'the same episode says it better elsewhere'
                when fate = 'below_floor' and not is_trusted
                then
                    'transcript trusted '
                    || round(trust, 2)
                    || ', under {{ var("trust_floor") }}'
                when fate = 'below_floor' and salience < {{ var("salience_floor") }}
                then
                    'salience '
                    || round(salience, 2)
                    || ', under {{ var("salience_floor") }}'
                when fate = 'below_floor'
                then 'score ' || round(score, 2) || ', under {{ var("score_floor") }}'
                when fate = 'show_cap'
                then 'the show has its {{ var("show_cap") }} already'
                when fate = 'episode_cap'
                then 'the episode has its pick already'
                else 'others scored higher'
            end as fate_detail,
            rank,
            score,
            salience,
            specificity,
            evidence,
            novelty,
            corroboration,
            freshness,
            feed_weight,
            topic_preference,
            independent_shows,
            also_in,
            disagrees_with,
            nearest_told_on,
            nearest_told_insight_id,
            nearest_told_by,
            nearest_told_headline,
            coalesce(
                nearest_told_publisher = publisher, false
            ) as is_told_by_same_publisher,
            duplicate_of,
            nearest_pick_insight_id,
            embedding_model,
            engine,
            model,
            prompt_version,
            transcript_key
        from decided
    )

select *
from final
