with
    source as (
        select *
        from {{ source("lake", "transcripts") }}
        where {{ lake_window() }}
        union all by name
        -- For a lake that was written before there was such a column.
        select cast(null as boolean) as times_may_drift
        where false
    ),

    renamed as (
        select
            day,
            episode_id,
            state as transcript_state,
            reason as transcript_reason,
            detail as transcript_detail,
            source as transcript_source,
            format as transcript_format,
            language,
            transcript_key,
            segments,
            words,
            speech_seconds,
            has_times,
            has_speakers,
            trust,
            coalesce(times_may_drift, false) as times_may_drift,
            bytes,
            seconds_taken,
            reused as is_reused
        from source
    ),

    final as (select * from renamed)

select *
from final
