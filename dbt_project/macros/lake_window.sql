{#-
The days that staging reads: the processed one and as many before it as corroboration looks back, never a later one. The file name
says the day too, and a filter on it lets DuckDB leave all other files closed.
-#}
{%- macro lake_window() -%}
    day between {{ first_day_heard() }} and {{ processed_day() }}
    and parse_filename(
        filename,
        true
    ) between cast({{ first_day_heard() }} as varchar) and cast(
        {{ processed_day() }} as varchar
    )
{%- endmacro -%}

{%- macro first_day_heard() -%}
    cast({{ processed_day() }} - {{ var("corroboration_days") }} as date)
{%- endmacro -%}

{%- macro first_day_of_health() -%}
    cast({{ processed_day() }} - {{ var("health_days") }} as date)
{%- endmacro -%}
