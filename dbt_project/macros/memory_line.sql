{#- Parts of the reader's lines on why an insight was chosen and who said it before. -#}
{#- How far a component lifts the score above the day's average. -#}
{%- macro lift(component, weight) -%}
    round({{ var(weight) }} * (scored.{{ component }} - average.{{ component }}), 6)
{%- endmacro -%}

{%- macro ordinal(number) -%}
    coalesce(
        (
            [
                'First',
                'Second',
                'Third',
                'Fourth',
                'Fifth',
                'Sixth',
                'Seventh',
                'Eighth',
                'Ninth',
                'Tenth'
            ]
        )[{{ number }}],
        'Yet another'
    )
{%- endmacro -%}

{%- macro show_titles(shows) -%}
    array_to_string(list_transform({{ shows }}, lambda other:other.show_title), ', ')
{%- endmacro -%}
