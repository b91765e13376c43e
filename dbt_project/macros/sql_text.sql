{#- A text from outside as a literal of SQL. -#}
{%- macro sql_text(text) -%}
    {{ "'" ~ (text | string | replace("'", "''")) ~ "'" }}
{%- endmacro -%}
