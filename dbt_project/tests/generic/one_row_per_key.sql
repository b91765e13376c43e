{#- The grain of a table that is rebuilt whole: the columns together name each row once, and none of them is null. -#}
{% test one_row_per_key(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as row_count
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}
