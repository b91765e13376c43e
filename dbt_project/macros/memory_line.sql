{#- Parts of the reader's lines on why an insight was chosen and who said it before. -#}
{#- How far a component lifts a pick's score above what is the average in another relation. -#}
{%- macro lift(component, weight, average) -%}
    round(
        {{ var(weight) }} * (picks.{{ component }} - {{ average }}.{{ component }}), 6
    )
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

{#- "Signal Path, 14 Sep; Beta, today" -#}
{%- macro shows_and_days(shows) -%}
    array_to_string(
        list_transform(
            {{ shows }},
            lambda other:other.show_title
            || ', '
            || case
                when other.day = {{ processed_day() }}
                then 'today'
                else strftime(other.day, '%-d %b')
            end
        ),
        '; '
    )
{%- endmacro -%}

{%- macro show_titles(shows) -%}
    array_to_string(list_transform({{ shows }}, lambda other:other.show_title), ', ')
{%- endmacro -%}

{#-
Who said it before: "Third show this month to say so: ...", "Third show in 30 days to say so: ...", "Also said today on ...". "First heard
here" only where there is a memory to ask and nothing in it is related or disagrees: otherwise nothing is claimed.
-#}
{%- macro heard_line() -%}
    case
        when picks.also_in[1].day < picks.day
        then
            {{ ordinal("picks.independent_shows + 1") }} || case
                when
                    date_trunc('month', picks.also_in[1].day)
                    = date_trunc('month', picks.day)
                then ' show this month to say so: '
                else ' show in {{ var("corroboration_days") }} days to say so: '
            end
            || {{ shows_and_days("picks.also_in") }}
            || '.'
        when len(picks.also_in) > 0
        then 'Also said today on ' || {{ show_titles("picks.also_in") }} || '.'
        when
            memory.has_earlier_days
            and picks.novelty = 1
            and len(picks.disagrees_with) = 0
        then 'First heard here.'
    end
{%- endmacro -%}

{%- macro disagreement_line() -%}
    case
        when len(picks.disagrees_with) > 0
        then 'Disagrees with ' || {{ shows_and_days("picks.disagrees_with") }} || '.'
    end
{%- endmacro -%}
