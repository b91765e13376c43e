with
    source as (
        {{
            optional_source(
                "deliveries",
                {
                    "day": "date",
                    "recipient_key": "varchar",
                    "channel": "varchar",
                    "revision": "bigint",
                    "state": "varchar",
                    "reason": "varchar",
                    "changed_at": "timestamp with time zone",
                },
            )
        }}
    ),

    final as (
        select day, recipient_key, channel, revision, state, reason, changed_at
        from source
    )

select *
from final
