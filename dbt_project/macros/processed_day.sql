{#- The processed day as a date literal. Every model that looks at days says `processed_day()`, so no later day is ever seen. -#}
{%- macro processed_day() -%}
    {%- set day = var("day") | string -%}
    {%- if execute and not modules.re.match("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", day) -%}
        {{
            exceptions.raise_compiler_error(
                "The variable day is '" ~ day ~ "'; give a date like 2026-09-14."
            )
        }}
    {%- endif -%}
    cast('{{ day }}' as date)
{%- endmacro -%}
