"""PACKAGE lzc/lua/functions"""
