{#- What a paragraph names and counts, as lists of comparable strings. All are pure functions of their text columns. -#}
{%- macro number_words() -%}
    {{
        return(
            {
                "two": 2,
                "three": 3,
                "four": 4,
                "five": 5,
                "six": 6,
                "seven": 7,
                "eight": 8,
                "nine": 9,
                "ten": 10,
                "eleven": 11,
                "twelve": 12,
                "fifteen": 15,
                "twenty": 20,
                "thirty": 30,
                "forty": 40,
                "fifty": 50,
                "sixty": 60,
                "seventy": 70,
                "eighty": 80,
                "ninety": 90,
                "half": "0.5",
            }
        )
    }}
{%- endmacro -%}

{#-
The passages around the numbers of a text, in lower case, with digits for number words, "18 percent" for "18%", "5 dollars" for "$5" and
"1200" for "1,200". Cutting these passages out first is what keeps reading ten thousands of claims in seconds.
-#}
{%- macro counting_passages(text) -%}
    {%- set words = number_words().keys() | join("|") -%}
    {%- set number = "(?:\\$?\\d[\\d.,]*|\\b(?:" ~ words ~ ")\\b)" -%}
    {%- set sql = namespace(
        text="regexp_replace(array_to_string(regexp_extract_all(lower("
        ~ text
        ~ "), '(?:"
        ~ number
        ~ "(?:[ %-]+[a-z]+){0,8}[ %-]*)+'), ' ; '), '\\$(\\d[\\d.,]*)', '\\1 dollars ', 'g')"
    ) -%}
    {%- for word, digits in number_words().items() -%}
        {%- set sql.text = (
            "regexp_replace("
            ~ sql.text
            ~ ", '\\b"
            ~ word
            ~ "\\b', '"
            ~ digits
            ~ "', 'g')"
        ) -%}
    {%- endfor -%}
    regexp_replace(
        replace({{ sql.text }}, '%', ' percent '), '(\d),(\d\d\d)', '\1\2', 'g'
    )
{%- endmacro -%}

{#- Numbers with the word after them, and with the word after that ("40 peak hours" gives "40 peak" and "40 hour"); calendar years. -#}
{%- macro quantities(passages) -%}
    list_sort(
        list_distinct(
            list_concat(
                list_transform(
                    regexp_extract_all({{ passages }}, '\d+(?:\.\d+)?[ -]+[a-z]{3,}'),
                    lambda found:rtrim(regexp_replace(found, '[ -]+', ' '), 's')
                ),
                list_transform(
                    regexp_extract_all(
                        {{ passages }}, '\d+(?:\.\d+)?[ -]+[a-z]+[ -]+[a-z]{4,}'
                    ),
                    lambda found:rtrim(
                        regexp_replace(found, '[ -]+[a-z]+[ -]+', ' '), 's'
                    )
                ),
                regexp_extract_all({{ passages }}, '\b(?:19|20)\d\d\b')
            )
        )
    )
{%- endmacro -%}

{#- Words of the names in a list of entities and of the capitalised runs inside sentences. -#}
{%- macro name_words(entities, text) -%}
    list_sort(
        list_distinct(
            list_filter(
                list_transform(
                    regexp_split_to_array(
                        lower(
                            concat_ws(
                                ' ',
                                array_to_string({{ entities }}, ' '),
                                array_to_string(
                                    regexp_extract_all(
                                        {{ text }},
                                        '[a-z0-9,;:] ((?:[A-Z][A-Za-z''-]+ ?)+)',
                                        1
                                    ),
                                    ' '
                                )
                            )
                        ),
                        '[^a-z0-9''-]+'
                    ),
                    lambda word:regexp_replace(word, '''s?$', '')
                ),
                lambda word:length(word) > 2
            )
        )
    )
{%- endmacro -%}

{#- First five letters of each content word: a crude stem that needs no extension. -#}
{%- macro content_stems(text) -%}
    list_sort(
        list_distinct(
            list_transform(
                regexp_extract_all(
                    regexp_replace(
                        lower({{ text }}), '\b(?:{{ stop_words() }})\b', '', 'g'
                    ),
                    '[a-z]{4,}'
                ),
                lambda word:word[1:5]
            )
        )
    )
{%- endmacro -%}

{#- Whether the verb is denied: "will not", "isn't", "cannot", "never"; a mere "not all year" or "no lithium" denies no claim. -#}
{%- macro denies(text) -%}
    regexp_matches(
        lower({{ text }}),
        '\b(?:will|would|does|do|did|is|are|was|were|can|could|should|has|have|had|may|might|must) (?:not|never)\b'
        || '|n[''’]t\b|\bcannot\b|\bnever\b'
    )
{%- endmacro -%}

{#- 1 where a claim only speaks of a rise, -1 where only of a fall, 0 where of both or neither: then nothing can be said. -#}
{%- macro direction(text) -%}
    (
        regexp_matches(
            lower({{ text }}),
            '\b(?:rises?|rose|risen|rising|grows?|grew|grown|growing|increas(?:e|es|ed|ing)|climb(?:s|ed|ing)?|doubl(?:e|es|ed|ing))\b'
        )::int - regexp_matches(
            lower({{ text }}),
            '\b(?:falls?|fell|fallen|falling|drop(?:s|ped|ping)?|declin(?:e|es|ed|ing)|shrinks?|shrank|shrinking|decreas(?:e|es|ed|ing)|halv(?:e|es|ed|ing))\b'
        )::int
    )
{%- endmacro -%}

{%- macro stop_words() -%}
    {%- set words = (
        "about above after again against also although always among and another anybody anyone are around because been before "
        ~ "being below between both came come could does doing down during each even ever every from further gave give goes "
        ~ "have having here into itself just know less like made make many mean more most much must nearly never only onto "
        ~ "other over percent rather roughly said same says should since some still such take than that their them then there "
        ~ "these they thing this those though through under until upon very want well went were what when where whereas which "
        ~ "while whole whom whose will with within without would year years your"
    ).split(" ") -%}
    {{ (words + (number_words().keys() | list)) | join("|") }}
{%- endmacro -%}
