{#- The grain: the columns together name each row of the processed day once, and none of them is null. -#}
{% test one_row_per(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as row_count
    from {{ model }}
    where day = {{ processed_day() }}
    group by {{ columns | join(", ") }}
    having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}
