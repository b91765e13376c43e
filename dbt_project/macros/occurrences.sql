{#- How often a value stands in a list. -#}
{%- macro occurrences(values, value) -%}
    len(list_filter({{ values }}, lambda found:found = {{ value }}))
{%- endmacro -%}
