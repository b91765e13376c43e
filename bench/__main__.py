"""`make bench`: every measurement, one after the other."""

from bench import demo, imports, machine

if __name__ == "__main__":
    print(machine.line())
    imports.main()
    demo.main()
