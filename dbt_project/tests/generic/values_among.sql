{#- Every value of the processed day is one of `values`: the built-in test would read all days again each day. -#}
{% test values_among(model, column_name, values) %}
    select {{ column_name }}, count(*) as row_count
    from {{ model }}
    where
        day = {{ processed_day() }}
        and coalesce({{ column_name }} not in ('{{ values | join("', '") }}'), true)
    group by {{ column_name }}
{% endtest %}
