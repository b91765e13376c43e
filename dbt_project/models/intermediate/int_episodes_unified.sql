{{ config(materialized="table") }}

with
    episodes as (select * from {{ ref("stg_episodes") }}),

    transcripts as (select * from {{ ref("stg_transcripts") }}),

    joined as (
        select
            episodes.*,
            lower(trim(episodes.show_title)) as show_key,
            lower(trim(coalesce(episodes.network, episodes.show_title))) as publisher,
            lower(trim(episodes.episode_title)) as title_key,
            -- Query strings carry the subscriber's token, so they differ between two
            -- feeds of one show.
            regexp_replace(
                episodes.audio_url, '^https?://|[?#].*$', '', 'g'
            ) as audio_key,
            transcripts.transcript_state,
            transcripts.transcript_reason,
            transcripts.transcript_detail,
            transcripts.transcript_key,
            transcripts.trust,
            transcripts.times_may_drift
        from episodes
        left join transcripts using (day, episode_id)
    ),

    final as (
        select
            * exclude (title_key, audio_key),
            least(
                episode_id,
                min(episode_id) over (partition by guid, title_key),
                min(episode_id) over (
                    partition by coalesce(audio_key, episode_id), title_key
                ),
                min(episode_id) over (partition by coalesce(transcript_key, episode_id))
            ) as canonical_episode_id
        from joined
    )

select *
from final
