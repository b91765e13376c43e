{#-
A table of the lake that may have no file yet, which DuckDB would refuse to read: then no row with the given columns and types. `first`
and `last` bound the names of the files, which are days or times, so that all others stay closed.
-#}
{%- macro optional_source(table, columns, first=none) -%}
    {%- set location = source("lake", table) -%}
    {%- set files = namespace(found=1) -%}
    {%- if execute -%}
        {%- set pattern = (
            env_var("TOP5_LAKE", "data/lake") ~ "/" ~ table ~ "/*.parquet"
        ) -%}
        {%- set files.found = run_query(
            "select count(*) from glob(" ~ sql_text(pattern) ~ ")"
        ).columns[0][0] -%}
    {%- endif -%}
    {%- if files.found -%}
        select
            {% for name in columns %} {{ name }}{{ ", " if not loop.last }}{% endfor %}
        from {{ location }}
        {%- if first is not none %}
            where parse_filename(filename, true) >= cast({{ first }} as varchar)
        {%- endif %}
    {%- else -%}
        select
            {% for name, type in columns.items() -%}
                cast(null as {{ type }}) as {{ name }}{{ ", " if not loop.last }}
            {%- endfor %}
        where false
    {%- endif -%}
{%- endmacro -%}
