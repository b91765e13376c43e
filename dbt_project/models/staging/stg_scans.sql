with
    source as (
        {{
            optional_source(
                "scans",
                {
                    "scanned_at": "timestamp with time zone",
                    "feed_id": "varchar",
                    "title": "varchar",
                    "url": "varchar",
                    "ok": "boolean",
                    "reason": "varchar",
                    "message": "varchar",
                },
                first=first_day_of_health(),
            )
        }}
    ),

    renamed as (
        select
            scanned_at,
            feed_id,
            title as show_title,
            url as masked_url,
            ok as is_ok,
            reason,
            message
        from source
    ),

    final as (select * from renamed)

select *
from final
