with
    source as (
        {{
            optional_source(
                "spend",
                {
                    "day": "date",
                    "purpose": "varchar",
                    "usd": "double",
                    "requests": "bigint",
                },
            )
        }}
    ),

    final as (select day, purpose, usd, requests from source)

select *
from final
